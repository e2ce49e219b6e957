// disk_sector_image.S: the disk of disk_sector.S, four sectors of it.

#define SECTOR          512

.text
    .org    1 * SECTOR
    .asciz  "This disk has been started 0 times.\n"
    .org    4 * SECTOR
