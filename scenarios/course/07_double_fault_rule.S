// 07_double_fault_rule.S: which two exceptions become a double fault (SDM 3A 6.15, Interrupt 8).
//
// You get    EDI     the vector of the first exception
//            ESI     the vector of the second, which came while the first was delivered
//
// Give EAX = 1 if the two become #DF, and EAX = 0 if the second is delivered in place of the first.
//
//   contributory     0 #DE, 10 #TS, 11 #NP, 12 #SS, 13 #GP
//   page fault       14 #PF
//   benign           all others
//
//                              the second is
//   the first is               benign       contributory     page fault
//   benign                     no           no               no
//   contributory               no           yes              no
//   page fault                 no           yes              yes
//
// You may change RAX, RCX, RDX, RSI and RDI.

.intel_syntax noprefix
#include "course.inc"

.text
routine becomes_double_fault
    xor     eax, eax                    // never: not quite
    ret
end_routine becomes_double_fault
