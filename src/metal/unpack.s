# The unpacker: the kernel's file holds all that follows the 16-bit code in two archives, packed by LZMA, with
# the code sorted before (tools/xtask/src/pack.rs and sort.rs are the other side).
#
# The first has the kernel's data, the code that the start and the service both need, and the start's. It is
# unpacked at once. The second has the service's own code, which takes the start's place when that is done
# (enter_service): the start needs no memory of its own, and the service's none before it runs.
#
# LZMA with lp 0, pb 0, without header and end mark; the algorithm and the order of bits are those of the LZMA
# specification (I. Pavlov, 2015). A literal's tree is chosen by what is known of the next byte of an
# instruction instead of by the bits of the byte before, and those after a match have trees of the match's in
# common. The probabilities have an order of their own, without the places of a position state; they lie where
# the BIOS's disk calls have their buffer, and behind it.
#
# What is packed lies at the end of the memory that becomes of it: it ends UNPACK_MARGIN bytes above, and is
# unpacked over itself. The margin is for the last bytes, which may have become longer; that it suffices is
# checked. Likewise the code, out of its streams, which end UNPACK_GAP bytes above it. A 386 at 25 MHz takes
# some five seconds for both.

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
        .set    MATCHED, ALIGNMENT+16   # after a match, while the bits are its: twice 256, by its next bit
        .set    LITERAL, MATCHED+512    # 256 by context: what the next byte is
        .set    PROBABILITIES, LITERAL+9*256
        .set    CONTEXT_OPCODE, 0
        .set    CONTEXT_SECOND, 1       # of an opcode; from 2 on operands
        .set    CONTEXT_OTHER, 8        # not of the stream of opcodes

        # What an archive comes out to: data, at its place; then a table, which the code's streams follow.
        .set    STREAMS, 56
        .set    TABLE_CLASSES, 512      # behind the contexts that follow an opcode
        .set    TABLE_LENGTHS, 1024
        .set    TABLE, TABLE_LENGTHS+STREAMS*4

        .set    VAR_SOURCE, low_info+80
        .set    VAR_STATE, low_info+84
        .set    VAR_DISTANCES, low_info+88 # the last four, the last one first; 1 is the byte before
        .set    VAR_LENGTH, low_info+104
        .set    VAR_MATCH, low_info+108
        .set    VAR_BITS, low_info+112
        .set    VAR_PLACE, low_info+116
        .set    VAR_CONTEXT, low_info+120
        .set    VAR_DATA_END, low_info+124
        .set    VAR_STREAMS, low_info+128
        .set    VAR_OPCODES_END, low_info+132
        .set    VAR_END, low_info+136
        # A piece of code ends there; where the next one begins and ends, 0: there is none.
        .set    VAR_PIECE_END, low_info+140
        .set    VAR_NEXT, low_info+144
        .set    VAR_NEXT_END, low_info+148
        .set    KERNEL_END_MARK, 0x454E4F44
        .set    BDA_VIDEO_MODE, 0x449

        .section .unpack, "ax"
        .code32
unpack:
        movw    $DATA32, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $low_stack_top, %esp
        # Up with both archives, from their end on, because they move over themselves.
        movl    kernel_length, %ecx
        leal    0x8000-4(%ecx), %esi
        subl    $_loader_end-0x8000, %ecx
        shrl    $2, %ecx
        movl    $unpack_end-4, %edi
        std
        rep movsl
        cld
        leal    4(%edi), %esi
        movl    $_constants, %edi
        movl    $_data_end, VAR_DATA_END
        movl    $start_streams, VAR_STREAMS
        movl    $start_streams_end, VAR_END
        call    unpack_archive
        cmpl    $KERNEL_END_MARK, _data_end-4
        jne     unpack_failed
        movl    $_text_start, %edi
        movl    $_text_end, VAR_PIECE_END
        movl    $_overlay, VAR_NEXT
        movl    $_start_end, VAR_NEXT_END
        call    unpack_code
        jmp     protected_mode_entry

# enter_service(argument): unpacks the service's code over the start's, and goes on with kernel_run(argument),
# on the same stack.
        .global enter_service
enter_service:
        pushl   %eax
        movl    $unpack_end, %esi
        subl    kernel_length, %esi
        addl    $_loader_end-0x8000, %esi
        addl    kernel_first, %esi
        movl    $service_streams-TABLE, %edi
        movl    %edi, VAR_DATA_END      # no data
        movl    $service_streams, VAR_STREAMS
        movl    $service_streams_end, VAR_END
        call    unpack_archive
        movl    $_overlay, %edi
        movl    $_service_end, VAR_PIECE_END
        movl    $0, VAR_NEXT_END
        call    unpack_code
        popl    %eax
        jmp     kernel_run

# The archive at ESI: to EDI what comes before VAR_DATA_END, all else up to VAR_END to the table and the streams
# behind it, which begin at VAR_STREAMS.
unpack_archive:
        movl    1(%esi), %eax           # the first byte is 0
        addl    $5, %esi
        movl    %esi, VAR_SOURCE
        xchgb   %al, %ah
        roll    $16, %eax
        xchgb   %al, %ah
        movl    %eax, %esi
        movl    %edi, %edx
        movl    $low_bounce, %edi
        movl    $PROBABILITIES/2, %ecx
        movl    $0x04000400, %eax       # one half each
        rep stosl
        movl    %ecx, VAR_STATE
        movl    $1, %eax
        movl    $VAR_DISTANCES, %edi
        movb    $4, %cl
        rep stosl
        movl    $CONTEXT_OTHER, VAR_CONTEXT
        leal    -1(%ecx), %ebp
        movl    %edx, %edi

# EBP = range, ESI = code, EDI = where the next byte goes, all through.
unpack_next:
        cmpl    VAR_END, %edi
        jae     unpack_return
        cmpl    %edi, VAR_SOURCE
        jb      unpack_failed
        movl    $low_bounce, %ebx
        movl    VAR_STATE, %edx
        call    unpack_bit
        jc      unpack_match
        # A literal.
        movl    $1, %edx
        cmpl    $7, VAR_STATE
        jb      3f
        # After a match: by the bits of the byte that would have gone on with it, up to a difference.
        call    unpack_before
        movl    %eax, VAR_MATCH
1:      shll    VAR_MATCH
        movl    VAR_MATCH, %eax
        andl    $0x100, %eax
        leal    low_bounce+MATCHED*2(,%eax,2), %ebx
        pushl   %eax
        call    unpack_bit
        popl    %eax
        adcl    %edx, %edx
        movb    %dl, %cl
        andb    $1, %cl
        cmpb    %ah, %cl
        jne     2f
        cmpl    $0x100, %edx
        jb      1b
2:      cmpl    $0x100, %edx
        jae     4f
3:      movl    VAR_CONTEXT, %ebx
        shll    $9, %ebx
        addl    $low_bounce+LITERAL*2, %ebx
        pushl   $0x100
        call    unpack_tree
4:      movb    %dl, %al
        call    unpack_put
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
1:      movl    $low_bounce+LENGTH*2, %ebx
        call    unpack_length
        leal    -2(%edx), %eax
        cmpl    $3, %eax
        jbe     1f
        movl    $3, %eax
1:      shll    $7, %eax
        leal    low_bounce+SLOT*2(%eax), %ebx
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
        leal    low_bounce+DISTANCE*2(,%ebx,2), %ebx
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
        movl    $low_bounce+ALIGNMENT*2, %ebx
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
1:      call    unpack_before
        call    unpack_put
        decl    VAR_LENGTH
        jnz     1b
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
6:      movl    $low_bounce+REPEAT_LENGTH*2, %ebx
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

# The byte at the last distance before EDI, to EAX. The table follows the data, wherever it lies.
unpack_before:
        movl    %edi, %eax
        subl    VAR_DISTANCES, %eax
        movl    VAR_STREAMS, %ecx
        subl    $TABLE, %ecx
        cmpl    %ecx, %edi
        jb      1f
        subl    %eax, %ecx
        jbe     1f
        movl    VAR_DATA_END, %eax
        subl    %ecx, %eax
1:      movzbl  (%eax), %eax
unpack_return:
        ret

# AL goes to EDI. Keeps what the byte behind it will be. Changes EAX and ECX.
unpack_put:
        stosb
        cmpl    VAR_DATA_END, %edi
        jne     1f
        movl    VAR_STREAMS, %edi
        subl    $TABLE, %edi
1:      movl    VAR_CONTEXT, %ecx
        cmpl    VAR_STREAMS, %edi
        je      2f
        cmpb    $CONTEXT_OTHER, %cl
        je      5f
        cmpl    VAR_OPCODES_END, %edi
        jae     4f
        cmpb    $CONTEXT_SECOND, %cl
        movl    VAR_STREAMS, %ecx
        movzbl  %al, %eax
        ja      3f
        jb      6f
        incb    %ah
6:      movzbl  -TABLE(%ecx,%eax), %ecx
        movl    %ecx, VAR_CONTEXT
        ret
        # The first stream is that of the opcodes.
2:      movl    %edi, %ecx
        addl    TABLE_LENGTHS-TABLE(%edi), %ecx
        movl    %ecx, VAR_OPCODES_END
3:      xorl    %ecx, %ecx
        movl    %ecx, VAR_CONTEXT
        ret
4:      movl    $CONTEXT_OTHER, VAR_CONTEXT
5:      ret

# The code, out of its streams. ESI = opcodes and operands, EDI = where the next byte goes, EBX = addresses
# of what is left of the streams, behind the classes of opcodes, EBP = opcode, DL = class, DH = 1: numbers of
# 16 bits instead of 32, CH = operand. Names of streams are their places among the addresses.
        .set    INDEXES, 1*4            # by the operand's highest bits
        .set    SMALL, 4*4
        .set    ON_STACK, 5*4
        .set    HALVES, 6*4
        .set    NEARS, 7*4
        .set    JUMPS, 8*4
        .set    CALLS, 9*4
        .set    FAR, 10*4
        .set    FAR_ON_STACK, 11*4
        .set    ABSOLUTE, 12*4
        .set    SHORTS, 16              # by the opcode's highest bits
        .set    SHORTS_83, 32           # of the opcode 83h, by the operand's middle bits
        .set    LONGS, 40               # by the opcode's highest bits
        .set    LAST, (STREAMS-1)*4
        .set    ENDS, STREAMS*4         # and the ends of all
        .set    SORTED, low_bounce+512
unpack_code:
        pushl   %edi
        movl    VAR_STREAMS, %edx
        leal    TABLE_CLASSES-TABLE(%edx), %esi
        movl    $low_bounce, %edi
        movl    $512/4, %ecx
        rep movsl
        movl    $SORTED, %ebx
        movb    $STREAMS, %cl
1:      movl    %edx, (%edi)
        lodsl
        addl    %eax, %edx
        movl    %edx, ENDS(%edi)
        addl    $4, %edi
        loop    1b
        cmpl    VAR_END, %edx
        jne     unpack_failed
        popl    %edi
        movl    (%ebx), %esi
unpack_instruction:
        cmpl    VAR_PIECE_END, %edi
        jae     unpack_piece
        leal    32(%edi), %eax
        cmpl    %esi, %eax
        jb      1f
        call    unpack_room
1:      xorl    %edx, %edx
        call    unpack_opcode
        cmpb    $0x66, %al
        jne     1f
        incb    %dh
        call    unpack_opcode
1:      cmpb    $0x0F, %al
        jne     2f
        call    unpack_opcode
        incb    %ah                     # the second half of the classes
2:      movb    -512(%ebx,%eax), %dl
        movl    %eax, %ebp
        testb   $0x01, %dl
        jz      7f
        # An operand.
        movb    (%esi), %cl
        movsb
        movb    %cl, %ch
        andb    $0xFE, %al
        cmpl    $0xF6, %eax
        jne     3f
        testb   $0x30, %cl
        jz      3f
        xorb    %dl, %dl                # not TEST: no number
3:      movb    %cl, %al
        andb    $7, %al                 # the base register
        shrb    $6, %cl
        cmpb    $3, %cl
        je      7f
        cmpb    $4, %al
        jne     4f
        movb    %cl, %al
        shlb    $2, %al
        addb    $INDEXES, %al
        call    unpack_part
4:      decb    %cl
        jz      5f
        jns     6f
        andb    $7, %al
        cmpb    $5, %al
        movb    $ABSOLUTE, %al
        je      9f
        jmp     7f
5:      cmpb    $0x24, %al              # [ESP]
        movb    $ON_STACK, %al
        je      8f
        movb    $SMALL, %al
8:      call    unpack_part
        jmp     7f
6:      cmpb    $0x24, %al
        movb    $FAR_ON_STACK, %al
        je      9f
        movb    $FAR, %al
9:      call    unpack_long
        # Its numbers, which are these, in this order.
7:      testb   $0x02, %dl
        jz      1f
        movb    $ABSOLUTE, %al
        call    unpack_long
1:      testb   $0x04, %dl
        jz      1f
        movl    %ebp, %eax
        shrb    $4, %al
        addb    $SHORTS, %al
        cmpl    $0x83, %ebp
        jne     2f
        movb    %ch, %al
        shrb    $3, %al
        andb    $7, %al
        addb    $SHORTS_83, %al
2:      shlb    $2, %al
        call    unpack_part
1:      testb   $0x10, %dl
        jz      2f
        testb   %dh, %dh
        jnz     3f
        movl    %ebp, %eax
        shrb    $4, %al
        addb    $LONGS, %al
        shlb    $2, %al
        call    unpack_long
2:      testb   $0x08, %dl
        jz      1f
3:      movb    $HALVES, %al
        call    unpack_part
        movb    $HALVES, %al
        call    unpack_part
1:      testb   $0x20, %dl
        jz      1f
        movb    $NEARS, %al
        call    unpack_part
1:      movb    $JUMPS, %al
        shlb    %dl
        js      1f
        jnc     unpack_instruction
        movb    $CALLS, %al
1:      call    unpack_long
        # From an offset from the code's start to one from the instruction's end.
        subl    %edi, -4(%edi)
        addl    $_text_start, -4(%edi)
        jmp     unpack_instruction

# The next byte of an opcode, to EAX too.
unpack_opcode:
        movzbl  (%esi), %eax
        movsb
        ret

# The next byte of stream AL, to AL too.
unpack_part:
        movzbl  %al, %eax
        xchgl   %esi, (%ebx,%eax)
        movsb
        xchgl   %esi, (%ebx,%eax)
        movb    -1(%edi), %al
        ret

# The next number of stream AL.
unpack_long:
        movzbl  %al, %eax
        addl    $4, (%ebx,%eax)
        movl    (%ebx,%eax), %eax
        movl    -4(%eax), %eax
        xchgb   %al, %ah
        roll    $16, %eax
        xchgb   %al, %ah
        stosl
        ret

# Moves what is left of the streams up, against each other and their end.
unpack_room:
        movl    %esi, (%ebx)
        pushl   %edi
        movl    VAR_END, %edi
        decl    %edi
        movl    $LAST, %edx
        std
1:      leal    1(%edi), %ecx
        xchgl   %ecx, ENDS(%ebx,%edx)
        leal    -1(%ecx), %esi
        subl    (%ebx,%edx), %ecx
        rep movsb
        leal    1(%edi), %eax
        movl    %eax, (%ebx,%edx)
        subl    $4, %edx
        jns     1b
        cld
        movl    %eax, %esi
        popl    %edi
        ret

# A piece of the code has come to its end.
unpack_piece:
        xorl    %eax, %eax
        xchgl   %eax, VAR_NEXT_END
        movl    %eax, VAR_PIECE_END
        movl    VAR_NEXT, %edi
        testl   %eax, %eax
        jnz     unpack_instruction
        # All streams are used up.
        movl    %esi, (%ebx)
        movl    $LAST, %edx
1:      movl    (%ebx,%edx), %eax
        cmpl    ENDS(%ebx,%edx), %eax
        jne     unpack_failed
        subl    $4, %edx
        jns     1b
        ret

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
