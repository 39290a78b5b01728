# The second stage: the head of the kernel's file. Loads the rest of the file along its FAT chain,
# track by track, checks its sum, switches A20 on, asks the BIOS for the memory map and enters
# protected mode. Every failure names its step on the screen and on COM1.
#
# In: low_info+4 first cluster of the file, low_info+6 first data sector, BIOS parameter block at 7C00h.
# Needs a 386, and says so.

        .set    MAGIC, 0x56535446       # "FTSV"
        .set    INFO_CLUSTER, low_info+4
        .set    INFO_DATA, low_info+6
        .set    INFO_DRIVE, low_info+8
        .set    INFO_MEM12, low_info+10
        .set    INFO_MEM88, low_info+12
        .set    INFO_E801_LOW, low_info+14
        .set    INFO_E801_HIGH, low_info+16
        .set    INFO_E820_COUNT, low_info+18
        # The second stage's own variables; not in the file's image, which is loaded over itself.
        .set    VAR_DEST, low_info+32
        .set    VAR_LEFT, low_info+36
        .set    VAR_FAT_SECTOR, low_info+40
        .set    VAR_FAT16, low_info+44
        .set    VAR_NEXT, low_info+48
        .set    VAR_COUNT, low_info+52
        .set    VAR_RUN_DEST, low_info+56
        .set    VAR_LBA, low_info+60
        .set    VAR_CHUNK, low_info+64
        .set    VAR_STATUS, low_info+68
        .set    VAR_SERIAL, low_info+69

        .section .head, "ax"
        .code16
        .global kernel_file
kernel_file:
        jmp     stage2
        .org    4
kernel_magic:
        .long   MAGIC
kernel_length:
        .long   0                       # bytes of the file, multiple of 4: written by cargo xtask
kernel_balance:
        .long   0                       # makes the sum of the file's double words 0
kernel_memory_end:
        .long   kernel_load_end
kernel_first:
        .long   0                       # bytes of the first archive (unpack.s), multiple of 4: by cargo xtask

        .section .stage2, "ax"
        .code16
stage2:
        # From here to stage2_386, and in all that prints, no instruction that an 8086 lacks.
        movb    $0, VAR_SERIAL
        # A 386 keeps what is written to the high bits of FLAGS; an 8086 shows them set, a 286 clear.
        pushfw
        popw    %ax
        xorw    $0x7000, %ax
        movw    %ax, %bx
        pushw   %ax
        popfw
        pushfw
        popw    %ax
        cmpw    %ax, %bx
        je      stage2_386
        movw    $text_cpu, %si
        jmp     stage2_fail
stage2_386:
        movl    $MAGIC, low_info
        movb    BPB_DRIVE, %al
        movb    %al, INFO_DRIVE
        movw    $text_banner, %si
        call    print
        call    load_file
        call    check_sum
stage2_loaded:
        call    memory_sizes
        call    a20_on
        jmp     enter_protected_mode

# ---------------------------------------------------------------- loading

load_file:
        int     $0x12
        movzwl  %ax, %eax
        movw    %ax, INFO_MEM12
        shll    $10, %eax
        movw    $text_memory, %si
        cmpl    kernel_memory_end, %eax
        jb      stage2_fail
        movl    $0x8000, VAR_DEST
        movl    kernel_length, %eax
        addl    $511, %eax
        shrl    $9, %eax
        movl    %eax, VAR_LEFT
        movl    $-1, VAR_FAT_SECTOR
        movzwl  BPB_TOTAL16, %eax
        testw   %ax, %ax
        jnz     1f
        movl    BPB_TOTAL32, %eax
1:      movzwl  INFO_DATA, %ecx
        subl    %ecx, %eax
        xorl    %edx, %edx
        movzbl  BPB_SECTORS_PER_CLUSTER, %ecx
        divl    %ecx
        cmpl    $4085, %eax             # clusters: fewer is FAT12 (FAT specification 3.5)
        setae   VAR_FAT16
        movzwl  INFO_CLUSTER, %eax
load_run:
        # EAX = cluster. Sectors of this cluster and of those that follow it directly:
        leal    -2(%eax), %ebx
        movzbl  BPB_SECTORS_PER_CLUSTER, %ecx
        imull   %ecx, %ebx
        movzwl  INFO_DATA, %edx
        addl    %edx, %ebx
        movl    %ebx, VAR_LBA
        movl    %ecx, VAR_COUNT
load_extend:
        movl    VAR_COUNT, %ecx
        cmpl    VAR_LEFT, %ecx
        jae     load_last
        pushl   %eax
        call    next_cluster
        popl    %ebx
        movl    %eax, VAR_NEXT
        incl    %ebx
        cmpl    %ebx, %eax
        jne     load_read
        movzbl  BPB_SECTORS_PER_CLUSTER, %ecx
        addl    %ecx, VAR_COUNT
        jmp     load_extend
load_last:
        movl    VAR_LEFT, %ecx
        movl    %ecx, VAR_COUNT
load_read:
        movl    VAR_COUNT, %ecx
        movl    VAR_DEST, %edi
        movl    VAR_LBA, %eax
        call    read_run
        movl    VAR_COUNT, %ecx
        subl    %ecx, VAR_LEFT
        shll    $9, %ecx
        addl    %ecx, VAR_DEST
        cmpl    $0, VAR_LEFT
        je      load_done
        movl    VAR_NEXT, %eax
        cmpl    $2, %eax
        jb      load_short
        cmpl    $0xFFF0, %eax
        jae     load_short
        jmp     load_run
load_short:
        movw    $text_short, %si
        jmp     stage2_fail
load_done:
        ret

# EAX = cluster; returns in EAX the FAT's entry for it, FAT12's end marks as FAT16's.
next_cluster:
        movl    %eax, %ebx
        cmpb    $0, VAR_FAT16
        jne     1f
        shrl    $1, %ebx
1:      addl    %eax, %ebx              # byte in the FAT
        pushl   %eax
        pushl   %ebx
        shrl    $9, %ebx
        cmpl    VAR_FAT_SECTOR, %ebx
        je      2f
        movl    %ebx, VAR_FAT_SECTOR
        movzwl  BPB_RESERVED, %eax
        addl    %ebx, %eax
        movl    $low_bounce, %edi
        movl    $2, %ecx                # an entry of FAT12 may lie across two sectors
        call    read_run
2:      popl    %ebx
        popl    %ecx
        andl    $511, %ebx
        movzwl  low_bounce(%ebx), %eax
        cmpb    $0, VAR_FAT16
        jne     4f
        testb   $1, %cl
        jz      3f
        shrl    $4, %eax
3:      andl    $0xFFF, %eax
        cmpl    $0xFF0, %eax
        jb      4f
        orl     $0xF000, %eax
4:      ret

# Reads ECX sectors of the volume from EAX on to linear address EDI (conventional memory, multiple
# of 16), a track at a time and never across a 64 KB line, which the floppy's DMA cannot cross.
read_run:
        addl    BPB_HIDDEN, %eax
read_next:
        testl   %ecx, %ecx
        jz      read_done
        movl    %eax, %ebx
        xorl    %edx, %edx
        movzwl  BPB_SECTORS_PER_TRACK, %esi
        divl    %esi                    # EAX = track, EDX = sector in it
        subl    %edx, %esi              # up to the track's end
        cmpl    %ecx, %esi
        jbe     1f
        movl    %ecx, %esi
1:      movzwl  %di, %ebp
        negl    %ebp
        andl    $0xFFFF, %ebp
        jz      2f
        shrl    $9, %ebp                # up to the 64 KB line
        cmpl    %ebp, %esi
        jbe     2f
        movl    %ebp, %esi
2:      movl    %esi, VAR_CHUNK
        call    read_chunk
        jnc     3f
        # Not in one piece: the first sector alone.
        movl    $1, VAR_CHUNK
        call    read_chunk
        movw    $text_read, %si
        jc      read_failed
3:      movb    $'.', %al
        call    print_char
        movl    VAR_CHUNK, %esi
        leal    (%ebx,%esi), %eax
        subl    %esi, %ecx
        shll    $9, %esi
        addl    %esi, %edi
        jmp     read_next
read_done:
        ret

# VAR_CHUNK sectors from EBX (absolute) to EDI; 3 tries with a reset after each. Carry set and AH =
# status when all fail. Keeps EBX, ECX, EDI.
read_chunk:
        movw    $3, %bp
read_try:
        pushal
        movl    %ebx, %eax
        xorl    %edx, %edx
        movzwl  BPB_SECTORS_PER_TRACK, %esi
        divl    %esi
        leal    1(%edx), %ecx           # sector from 1
        xorl    %edx, %edx
        movzwl  BPB_HEADS, %esi
        divl    %esi                    # EAX = cylinder, EDX = head
        movb    %dl, %dh
        movb    BPB_DRIVE, %dl
        movb    %al, %ch
        shlb    $6, %ah
        orb     %ah, %cl
        movl    %edi, %ebx
        shrl    $4, %ebx
        movw    %bx, %es
        xorw    %bx, %bx
        movb    VAR_CHUNK, %al
        movb    $2, %ah
        int     $0x13
        movb    %ah, VAR_STATUS
        movw    $0, %ax
        movw    %ax, %es
        popal
        jnc     read_chunk_done
        pushal
        xorw    %ax, %ax
        movb    BPB_DRIVE, %dl
        int     $0x13
        popal
        decw    %bp
        jnz     read_try
        stc
read_chunk_done:
        ret

read_failed:
        call    serial_on
        call    print
        movb    VAR_STATUS, %al
        shrb    $4, %al
        call    print_digit
        movb    VAR_STATUS, %al
        call    print_digit
        movw    $text_read_help, %si
        jmp     stage2_fail_more

# The file's double words add up to 0, or a sector came wrong from the disk.
check_sum:
        movl    kernel_length, %ecx
        shrl    $2, %ecx
        movw    $0x800, %si             # segment
        xorl    %edx, %edx
1:      movw    %si, %fs
        xorw    %bx, %bx
2:      addl    %fs:(%bx), %edx
        addw    $4, %bx
        decl    %ecx
        jz      3f
        cmpw    $0x8000, %bx
        jb      2b
        addw    $0x800, %si
        jmp     1b
3:      movw    $text_sum, %si
        testl   %edx, %edx
        jnz     stage2_fail
        ret

# ---------------------------------------------------------------- memory

# What each BIOS call says; the kernel makes the map of it. 0 where a call is not known.
memory_sizes:
        movb    $0x88, %ah              # KB above 1 MB
        clc
        int     $0x15
        jnc     1f
        xorw    %ax, %ax
1:      movw    %ax, INFO_MEM88
        xorw    %cx, %cx
        xorw    %dx, %dx
        movw    %cx, INFO_E801_LOW
        movw    %cx, INFO_E801_HIGH
        movw    %cx, INFO_E820_COUNT
        movw    $0xE801, %ax            # KB from 1 to 16 MB, and 64 KB blocks above 16 MB
        int     $0x15
        jc      3f
        testw   %cx, %cx                # some BIOSes answer in CX and DX, others in AX and BX
        jnz     2f
        testw   %dx, %dx
        jnz     2f
        movw    %ax, %cx
        movw    %bx, %dx
2:      cmpw    $15*1024, %cx
        ja      3f
        movw    %cx, INFO_E801_LOW
        movw    %dx, INFO_E801_HIGH
3:      xorl    %ebx, %ebx
        movw    $low_memory_map, %di
4:      xorw    %ax, %ax
        movw    %ax, %es
        movl    $0xE820, %eax
        movl    $20, %ecx
        movl    $0x534D4150, %edx       # "SMAP"
        int     $0x15
        jc      5f
        cmpl    $0x534D4150, %eax
        jne     5f
        addw    $20, %di
        incw    INFO_E820_COUNT
        cmpw    $32, INFO_E820_COUNT
        jae     5f
        testl   %ebx, %ebx
        jnz     4b
5:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        ret

        # From here on what stays, with the thunk: a BIOS call may switch the line off.
        .section .thunk16, "ax"
        .code16
# Switches address line 20 on, by whatever this PC has: BIOS, keyboard controller, port 92h.
a20_on:
        call    a20_test
        jnz     a20_is_on
        movw    $0x2401, %ax
        int     $0x15
        call    a20_test
        jnz     a20_is_on
        call    a20_by_keyboard
        call    a20_test_long
        jnz     a20_is_on
        inb     $0x92, %al
        orb     $2, %al
        andb    $0xFE, %al              # bit 0 resets the CPU
        outb    %al, $0x92
        call    a20_test_long
        jnz     a20_is_on
        movw    $text_a20, %si
        jmp     stage2_fail
a20_is_on:
        ret

# Zero flag clear when A20 is on: low_info's magic does not show 1 MB higher, even after a change.
a20_test:
        pushw   %ds
        pushw   $0xFFFF
        popw    %fs
        xorw    %ax, %ax
        movw    %ax, %ds
        movl    %fs:low_info+0x10, %eax
        cmpl    low_info, %eax
        jne     1f
        notl    low_info
        movl    %fs:low_info+0x10, %eax
        cmpl    low_info, %eax
        pushfw
        notl    low_info
        popfw
1:      popw    %ds
        ret

# The same, for lines that take their time: up to some 10 ms.
a20_test_long:
        movw    $5000, %cx
1:      call    a20_test
        jnz     2f
        outb    %al, $0x80
        loop    1b
        cmpw    %cx, %cx
2:      ret

# Output port D1h of the 8042 with bit 1 set; gives up after a while where there is none.
a20_by_keyboard:
        pushfw
        cli
        call    a20_wait
        movb    $0xD1, %al
        outb    %al, $0x64
        call    a20_wait
        movb    $0xDF, %al
        outb    %al, $0x60
        call    a20_wait
        movb    $0xFF, %al              # a null command, which some controllers need
        outb    %al, $0x64
        call    a20_wait
        popfw
        ret
a20_wait:
        movw    $0x4000, %cx
1:      inb     $0x64, %al
        testb   $2, %al
        jz      2f
        outb    %al, $0x80
        loop    1b
2:      ret

# ---------------------------------------------------------------- messages

# Text at SI on the screen, and, once a failure has made COM1 ready, there too.
print:
        lodsb
        testb   %al, %al
        jz      1f
        call    print_char
        jmp     print
1:      ret
print_digit:
        andb    $0x0F, %al
        addb    $'0', %al
        cmpb    $'9', %al
        jbe     print_char
        addb    $7, %al
print_char:
        pushw   %ax
        pushw   %bx
        pushw   %cx
        pushw   %dx
        pushw   %ax
        movb    $0x0E, %ah
        movw    $7, %bx
        int     $0x10
        popw    %ax
        cmpb    $0, VAR_SERIAL
        je      3f
        movb    %al, %ah
        movw    $0x3FD, %dx
        movw    $0x4000, %cx
1:      inb     %dx, %al
        testb   $0x20, %al
        jnz     2f
        loop    1b
2:      movw    $0x3F8, %dx
        movb    %ah, %al
        outb    %al, %dx
3:      popw    %dx
        popw    %cx
        popw    %bx
        popw    %ax
        ret

# COM1 to 115200 baud, 8 data bits, no parity.
serial_on:
        movw    $0x3FB, %dx
        movb    $0x83, %al
        outb    %al, %dx
        movw    $0x3F8, %dx
        movb    $1, %al
        outb    %al, %dx
        incw    %dx
        movb    $0, %al
        outb    %al, %dx
        movw    $0x3FB, %dx
        movb    $3, %al
        outb    %al, %dx
        incw    %dx
        outb    %al, %dx                # DTR, RTS
        movb    %al, VAR_SERIAL
        ret

stage2_fail:
        call    serial_on
stage2_fail_more:
        call    print
        xorw    %ax, %ax
        int     $0x16
        int     $0x19
        jmp     .

text_a20:
        .asciz  "\r\nAddress line A20 stays off: BIOS, keyboard controller and port 92h tried.\r\nLook for a Gate A20 setting in the BIOS setup. Press a key to restart.\r\n"

        .section .stage2
text_banner:
        .asciz  "Loading FTPSRV "
text_cpu:
        .asciz  "\r\nFTPSRV needs a 386 or better CPU.\r\n"
text_memory:
        .asciz  "\r\nNot enough conventional memory for FTPSRV (INT 12h).\r\n"
text_read:
        .asciz  "\r\nRead error, BIOS status "
text_read_help:
        .asciz  "h, loading FTPSRV.SYS. Make the boot disk anew.\r\nPress a key to restart.\r\n"
text_short:
        .asciz  "\r\nFTPSRV.SYS is cut off on this disk. Copy it anew.\r\nPress a key to restart.\r\n"
text_sum:
        .asciz  "\r\nFTPSRV.SYS came wrong from the disk (sum). Copy it anew or use another disk.\r\nPress a key to restart.\r\n"
