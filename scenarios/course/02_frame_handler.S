// 02_frame_handler.S: the handler of #UD. Copy the five words of its frame to where the kernel wants them.
//
// You get    the frame that the processor has pushed. #UD has no error code, so that RSP points to the saved RIP:
//
//            rsp + 32   SS
//            rsp + 24   RSP
//            rsp + 16   RFLAGS
//            rsp + 8    CS
//            rsp        RIP
//
// Copy them into saved_rip, saved_cs, saved_rflags, saved_rsp and saved_ss, eight bytes each. There is no MOV from
// memory to memory: it takes a register, and the interrupted program needs that one back. When you PUSH it, RSP moves,
// and so do all the offsets.
//
// Then add 2 to the RIP in the frame, so that IRETQ goes on behind UD2, which has two bytes.

.intel_syntax noprefix
#include "course.inc"

.text
routine read_the_frame
    unfinished                          // write the handler in place of this line
end_routine read_the_frame
