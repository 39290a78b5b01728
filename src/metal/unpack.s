# The unpacker: the kernel's file holds all that follows the 16-bit code packed by LZMA, with the targets
# of calls and jumps made absolute before (tools/xtask/src/pack.rs is the other side).
#
# LZMA with lc 3, lp 0, pb 0, without header and end mark; the algorithm and the order of bits are those
# of the LZMA specification (I. Pavlov, 2015). The probabilities have an order of their own, without
# the places of a position state.
#
# What is packed is moved up first, so that it ends UNPACK_MARGIN bytes above the end of what becomes of
# it, and is unpacked over itself. The margin is for the last bytes, which may have become longer; that it
# suffices is checked. A 386 at 25 MHz takes some four seconds.

        # Words from the first probability. 12 states each, then the two kinds of lengths, and so on.
        .set    IS_MATCH, 0
        .set    IS_REPEAT, 12
        .set    IS_OLDER, 24            # not the distance before
        .set    IS_OLDER_1, 36          # nor the one before that
        .set    IS_OLDER_2, 48
        .set    IS_LONG, 60             # with the distance before: more than one byte
        .set    LENGTH, 72              # two choices, trees of 8, 8 and 256
        .set    REPEAT_LENGTH, LENGTH+274
        .set    SLOT, REPEAT_LENGTH+274 # trees of 64, for lengths 2, 3, 4 and more
        .set    DISTANCE, SLOT+256
        .set    ALIGNMENT, DISTANCE+116
        .set    LITERAL, ALIGNMENT+16   # 8 times 768, by the high bits of the byte before
        .set    PROBABILITIES, LITERAL+8*768

        .set    VAR_SOURCE, low_info+80
        .set    VAR_STATE, low_info+84
        .set    VAR_DISTANCES, low_info+88 # the last four, the last one first; 1 is the byte before
        .set    VAR_LENGTH, low_info+104
        .set    VAR_MATCH, low_info+108
        .set    VAR_BITS, low_info+112
        .set    VAR_PLACE, low_info+116
        .set    KERNEL_END_MARK, 0x454E4F44
        .set    BDA_VIDEO_MODE, 0x449

        .section .unpack, "ax"
        .code32
unpack:
        movw    $DATA32, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $kernel_load_end, %esp
        # Up with it, from its end on, because it moves over itself.
        movl    kernel_length, %ecx
        leal    0x8000-4(%ecx), %esi
        subl    $_packed_start-0x8000, %ecx
        shrl    $2, %ecx
        movl    $unpack_end-4, %edi
        std
        rep movsl
        cld
        leal    4(%edi), %eax
        movl    1(%eax), %esi           # the first byte is 0
        addl    $5, %eax
        movl    %eax, VAR_SOURCE
        movl    %esi, %eax
        xchgb   %al, %ah
        roll    $16, %eax
        xchgb   %al, %ah
        movl    %eax, %esi
        movl    $unpack_end, %edi
        movl    $PROBABILITIES/2, %ecx
        movl    $0x04000400, %eax       # one half each
        rep stosl
        movl    %ecx, VAR_STATE
        movl    $1, %eax
        movl    $VAR_DISTANCES, %edi
        movb    $4, %cl
        rep stosl
        movl    $_packed_start, %edi
        leal    -1(%ecx), %ebp

# EBP = range, ESI = code, EDI = where the next byte goes, all through.
unpack_next:
        cmpl    $_flat_end, %edi
        jae     unpack_targets
        cmpl    %edi, VAR_SOURCE
        jb      unpack_failed
        movl    $unpack_end, %ebx
        movl    VAR_STATE, %edx
        call    unpack_bit
        jc      unpack_match
        # A literal.
        movzbl  -1(%edi), %eax          # before the first: 0
        shrl    $5, %eax
        imull   $768*2, %eax, %eax
        leal    unpack_end+LITERAL*2(%eax), %ebx
        movl    $1, %edx
        cmpl    $7, VAR_STATE
        jb      3f
        # After a match: by the bits of the byte that would have gone on with it, up to a difference.
        movl    %edi, %eax
        subl    VAR_DISTANCES, %eax
        movzbl  (%eax), %eax
        movl    %eax, VAR_MATCH
1:      shll    VAR_MATCH
        movl    VAR_MATCH, %eax
        andl    $0x100, %eax
        pushl   %edx
        pushl   %eax
        leal    0x100(%eax,%edx), %edx
        call    unpack_bit
        popl    %eax
        popl    %edx
        adcl    %edx, %edx
        movb    %dl, %cl
        andb    $1, %cl
        cmpb    %ah, %cl
        jne     2f
        cmpl    $0x100, %edx
        jb      1b
2:      cmpl    $0x100, %edx
        jae     4f
3:      pushl   $0x100
        call    unpack_tree
4:      movb    %dl, (%edi)
        incl    %edi
        movl    VAR_STATE, %eax
        subl    $3, %eax
        jae     5f
        xorl    %eax, %eax
5:      cmpl    $7, %eax
        jb      6f
        subl    $3, %eax
6:      movl    %eax, VAR_STATE
        jmp     unpack_next

unpack_match:
        addl    $IS_REPEAT-IS_MATCH, %edx
        call    unpack_bit
        jc      unpack_repeat
        pushl   %esi
        pushl   %edi
        movl    $VAR_DISTANCES+8, %esi
        movl    $VAR_DISTANCES+12, %edi
        movl    $3, %ecx
        std
        rep movsl
        cld
        popl    %edi
        popl    %esi
        cmpl    $7, VAR_STATE
        movl    $7, VAR_STATE
        jb      1f
        movl    $10, VAR_STATE
1:      movl    $unpack_end+LENGTH*2, %ebx
        call    unpack_length
        leal    -2(%edx), %eax
        cmpl    $3, %eax
        jbe     1f
        movl    $3, %eax
1:      shll    $7, %eax
        leal    unpack_end+SLOT*2(%eax), %ebx
        movl    $1, %edx
        pushl   $64
        call    unpack_tree
        subl    $64, %edx
        cmpl    $4, %edx
        jb      unpack_distance
        movl    %edx, %ecx
        shrl    $1, %ecx
        decl    %ecx                    # bits that follow
        movl    %edx, %eax
        andl    $1, %edx
        orl     $2, %edx
        cmpl    $14, %eax
        jae     1f
        shll    %cl, %edx
        movl    %edx, %ebx
        subl    %eax, %ebx
        leal    unpack_end+DISTANCE*2(,%ebx,2), %ebx
        jmp     5f
        # Bits of equal probability, all but the last four.
1:      subl    $4, %ecx
2:      cmpl    $0x1000000, %ebp
        jae     3f
        call    unpack_byte
3:      shrl    $1, %ebp
        movl    %esi, %eax
        subl    %ebp, %eax
        jb      4f
        movl    %eax, %esi
4:      cmc
        adcl    %edx, %edx
        decl    %ecx
        jnz     2b
        shll    $4, %edx
        movl    $unpack_end+ALIGNMENT*2, %ebx
        movb    $4, %cl
        # The last bits, the lowest first.
5:      movl    %edx, VAR_DISTANCES
        movl    %ecx, VAR_BITS
        movl    $1, %edx
        movl    %edx, VAR_PLACE
6:      call    unpack_bit
        adcl    %edx, %edx
        testb   $1, %dl
        jz      7f
        movl    VAR_PLACE, %eax
        addl    %eax, VAR_DISTANCES
7:      shll    VAR_PLACE
        decl    VAR_BITS
        jnz     6b
        movl    VAR_DISTANCES, %edx
unpack_distance:
        incl    %edx
        movl    %edx, VAR_DISTANCES
unpack_copy:
        movl    VAR_LENGTH, %ecx
        pushl   %esi
        movl    %edi, %esi
        subl    VAR_DISTANCES, %esi
        rep movsb
        popl    %esi
        jmp     unpack_next

unpack_repeat:
        addl    $IS_OLDER-IS_REPEAT, %edx
        call    unpack_bit
        jc      1f
        addl    $IS_LONG-IS_OLDER, %edx
        call    unpack_bit
        jc      4f
        cmpl    $7, VAR_STATE
        movl    $9, VAR_STATE
        jb      5f
        movl    $11, VAR_STATE
5:      movl    $1, VAR_LENGTH
        jmp     unpack_copy
1:      addl    $IS_OLDER_1-IS_OLDER, %edx
        call    unpack_bit
        movl    VAR_DISTANCES+4, %eax
        jnc     3f
        addl    $IS_OLDER_2-IS_OLDER_1, %edx
        call    unpack_bit
        movl    VAR_DISTANCES+8, %eax
        jnc     2f
        movl    %eax, %ecx
        xchgl   %ecx, VAR_DISTANCES+12
        movl    %ecx, %eax
2:      movl    VAR_DISTANCES+4, %ecx
        movl    %ecx, VAR_DISTANCES+8
3:      xchgl   %eax, VAR_DISTANCES
        movl    %eax, VAR_DISTANCES+4
4:      cmpl    $7, VAR_STATE
        movl    $8, VAR_STATE
        jb      6f
        movl    $11, VAR_STATE
6:      movl    $unpack_end+REPEAT_LENGTH*2, %ebx
        call    unpack_length
        jmp     unpack_copy

# A length by the probabilities at EBX, to EDX and VAR_LENGTH.
unpack_length:
        xorl    %edx, %edx
        call    unpack_bit
        jc      1f
        addl    $2*2, %ebx
        incl    %edx
        pushl   $8
        call    unpack_tree
        subl    $8-2, %edx
        jmp     3f
1:      incl    %edx
        call    unpack_bit
        jc      2f
        addl    $10*2, %ebx
        pushl   $8
        call    unpack_tree
        addl    $10-8, %edx
        jmp     3f
2:      addl    $18*2, %ebx
        pushl   $0x100
        call    unpack_tree
        subl    $0x100-18, %edx
3:      movl    %edx, VAR_LENGTH
        ret

# The part of a bit's decoding that ends before it is known. Carry clear: it is 1.
        .macro  UNPACK_COMPARE
        cmpl    $0x1000000, %ebp
        jae     101f
        call    unpack_byte
101:    movl    %ebp, %eax
        shrl    $11, %eax
        movzwl  (%ebx,%edx,2), %ecx
        imull   %ecx, %eax
        cmpl    %eax, %esi
        .endm
        # A 0: range and probability follow.
        .macro  UNPACK_ZERO
        movl    %eax, %ebp
        subl    $2048-31, %ecx
        sarl    $5, %ecx
        subw    %cx, (%ebx,%edx,2)
        .endm
        .macro  UNPACK_ONE
        subl    %eax, %ebp
        subl    %eax, %esi
        shrl    $5, %ecx
        subw    %cx, (%ebx,%edx,2)
        .endm

# The bit whose probability is the EDX-th word from EBX, to carry. Changes EAX and ECX.
unpack_bit:
        UNPACK_COMPARE
        jae     1f
        UNPACK_ZERO
        clc
        ret
1:      UNPACK_ONE
        stc
        ret

# Bits, the highest first, to the end of EDX, until it reaches what was pushed; each by the probability
# that those before it name. Changes EAX and ECX.
unpack_tree:
        UNPACK_COMPARE
        jae     1f
        UNPACK_ZERO
        addl    %edx, %edx
        cmpl    4(%esp), %edx
        jb      unpack_tree
        ret     $4
1:      UNPACK_ONE
        leal    1(%edx,%edx), %edx
        cmpl    4(%esp), %edx
        jb      unpack_tree
        ret     $4

# The next byte of what is packed. Changes EAX.
unpack_byte:
        shll    $8, %ebp
        shll    $8, %esi
        movl    VAR_SOURCE, %eax
        incl    VAR_SOURCE
        movzbl  (%eax), %eax
        orl     %eax, %esi
        ret

# Targets of calls (E8h), jumps (E9h) and conditional jumps (0Fh 8xh) in the code: stored as offset from
# its start, highest byte first, where they lie in it.
unpack_targets:
        cmpl    $KERNEL_END_MARK, _flat_last
        jne     unpack_failed
        movl    $_packed_start, %esi
        movl    $_text_end, %ebx
        subl    %esi, %ebx              # bytes of code
        xorl    %ecx, %ecx              # CL = the byte before
1:      cmpl    $_text_end-5, %esi
        jae     protected_mode_entry
        lodsb
        movb    %al, %dl
        andb    $0xFE, %dl
        cmpb    $0xE8, %dl
        je      2f
        andb    $0xF0, %dl
        xorb    $0x80, %dl
        xorb    $0x0F, %cl
        orb     %cl, %dl
        movb    %al, %cl
        jnz     1b
2:      movl    (%esi), %eax
        xchgb   %al, %ah
        roll    $16, %eax
        xchgb   %al, %ah
        leal    4(%esi), %edx           # the instruction's end
        subl    $_packed_start, %edx
        cmpl    %ebx, %eax
        jge     4f
        testl   %eax, %eax
        jns     3f
        addl    %eax, %edx
        js      4f
        addl    %ebx, %eax
        jmp     4f
3:      subl    %edx, %eax
4:      movl    %eax, (%esi)
        addl    $4, %esi
        xorl    %ecx, %ecx
        jmp     1b

# What was packed does not come out: the memory is bad, as the file's sum was right.
unpack_failed:
        movl    $0xB8000, %edi
        cmpb    $7, BDA_VIDEO_MODE
        jne     1f
        movl    $0xB0000, %edi
1:      movl    $text_unpack, %esi
        movb    $0x70, %ah
2:      lodsb
        testb   %al, %al
        jz      3f
        stosw
        jmp     2b
3:      hlt
        jmp     3b
text_unpack:
        .asciz  "FTPSRV.SYS cannot be unpacked: a fault of the PC's memory? Restart, or test it."
        .balign 4
        .long   0
