// 03_gate_writer.S: write one gate of the IDT.
//
// You get    RDI     the address of the gate's sixteen bytes. They hold anything: write all of them
//            RSI     the handler's address
//            DL      P, DPL and type, as they are to stand in byte 5
//
//            bytes   0, 1          offset 15:0
//                    2, 3          the segment selector: KERNEL_CODE
//                    4             the IST index: 0
//                    5             P, DPL and type
//                    6, 7          offset 31:16
//                    8 to 11       offset 63:32
//                    12 to 15      reserved: 0
//
// You may change RSI. SI and ESI are its lower 16 and 32 bits; SHR brings others down there.

.intel_syntax noprefix
#include "course.inc"

.text
routine set_gate
    ret                                 // write the gate before this line
end_routine set_gate
