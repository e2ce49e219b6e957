// handler.S: write page_fault_handler and irq_handler.
//
// The first puts a page under the address that was touched: entry n of heap_table is for the page at
// 0x600000 + n * 4096, and `call new_page` gives a page in RAX. The second counts in `ticks` (32 bits), and ends the
// interrupt at the 8259. Both give back every register.

.intel_syntax noprefix
.text
.global page_fault_handler, irq_handler
page_fault_handler:
    cli
    hlt
irq_handler:
    cli
    hlt
