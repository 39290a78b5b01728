# selftest_byte_swap(values): loads EAX, EBX, ECX, EDX, ESI, EDI, EBP from the 7 double words, swaps
# each, stores them back, and after them the flags, which were all set before.
        .text
        .code32
        .global selftest_byte_swap
selftest_byte_swap:
        pushal
        pushl   %eax
        movl    4(%eax), %ebx
        movl    8(%eax), %ecx
        movl    12(%eax), %edx
        movl    16(%eax), %esi
        movl    20(%eax), %edi
        movl    24(%eax), %ebp
        movl    (%eax), %eax
        pushl   $0x8D7                  # CF, PF, AF, ZF, SF, OF; interrupts off
        popfl
        bswapl  %eax
        bswapl  %ebx
        bswapl  %ecx
        bswapl  %edx
        bswapl  %esi
        bswapl  %edi
        bswapl  %ebp
        pushfl
        pushl   %eax
        movl    8(%esp), %eax
        movl    %ebx, 4(%eax)
        movl    %ecx, 8(%eax)
        movl    %edx, 12(%eax)
        movl    %esi, 16(%eax)
        movl    %edi, 20(%eax)
        movl    %ebp, 24(%eax)
        popl    (%eax)
        popl    28(%eax)
        addl    $4, %esp
        sti
        popal
        ret
