// double_fault_no_ist.S: double_fault.S with one field changed, the IST index in the gate of #DF. TSS.IST1 still holds
// a good stack, and nobody asks for it.

#define DOUBLE_FAULT_IST 0
#include "double_fault.S"
