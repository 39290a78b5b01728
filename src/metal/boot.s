# The boot sector: finds FTPSRV.SYS in the root directory of a FAT12 or FAT16 volume and loads its
# first sectors, the second stage. Runs on any CPU, so that the second stage can complain of an old one.
#
# It starts at 0:7C00h with the drive's number in DL. BIOS parameter block: FAT specification 1.03,
# section 3.1. `cargo xtask` puts the volume's own block over ours.

        .set    STAGE2_SECTORS, 7
        .set    DIR_ENTRY, 32
        .set    BPB, 0x7C00
        .set    BPB_SECTORS_PER_CLUSTER, BPB+0x0D
        .set    BPB_RESERVED, BPB+0x0E
        .set    BPB_FATS, BPB+0x10
        .set    BPB_ROOT_ENTRIES, BPB+0x11
        .set    BPB_TOTAL16, BPB+0x13
        .set    BPB_FAT_SECTORS, BPB+0x16
        .set    BPB_SECTORS_PER_TRACK, BPB+0x18
        .set    BPB_HEADS, BPB+0x1A
        .set    BPB_HIDDEN, BPB+0x1C
        .set    BPB_TOTAL32, BPB+0x20
        .set    BPB_DRIVE, BPB+0x24

        .section .boot, "ax"
        .code16
boot_sector:
        jmp     boot_start
        nop
        .org    0x3E
boot_start:
        cli
        xorw    %ax, %ax
        movw    %ax, %ss
        movw    $low_stack_top, %sp
        movw    %ax, %ds
        movw    %ax, %es
        sti
        cld
        movb    %dl, BPB_DRIVE
        ljmp    $0, $boot_normalised
boot_normalised:
        testb   %dl, %dl
        jns     boot_find_root
        # A hard disk: what counts is the BIOS's geometry, not that of the PC which formatted it.
        movb    $8, %ah
        int     $0x13
        jc      boot_find_root
        andw    $0x3F, %cx
        movw    %cx, BPB_SECTORS_PER_TRACK
        movb    %dh, %dl
        xorb    %dh, %dh
        incw    %dx
        movw    %dx, BPB_HEADS
        xorw    %ax, %ax
        movw    %ax, %es
boot_find_root:
        movb    BPB_FATS, %al
        xorb    %ah, %ah
        mulw    BPB_FAT_SECTORS
        addw    BPB_RESERVED, %ax
        movw    BPB_ROOT_ENTRIES, %cx
        movw    %cx, %dx
        addw    $15, %dx
        shrw    $1, %dx
        shrw    $1, %dx
        shrw    $1, %dx
        shrw    $1, %dx
        addw    %ax, %dx
        movw    %dx, low_info+6         # first data sector
        xorw    %dx, %dx
boot_next_dir_sector:
        movw    $low_bounce, %bx
        call    boot_read
        movw    %bx, %si
boot_next_entry:
        pushw   %cx
        pushw   %si
        movw    $boot_name, %di
        movw    $11, %cx
        repe    cmpsb
        popw    %si
        popw    %cx
        je      boot_found
        addw    $DIR_ENTRY, %si
        decw    %cx
        jz      boot_no_file
        cmpw    $low_bounce+512, %si
        jb      boot_next_entry
        incw    %ax
        jmp     boot_next_dir_sector
boot_found:
        movw    26(%si), %ax
        movw    %ax, low_info+4         # first cluster
        decw    %ax
        decw    %ax
        movb    BPB_SECTORS_PER_CLUSTER, %bl
        xorb    %bh, %bh
        mulw    %bx
        addw    low_info+6, %ax
        adcw    $0, %dx
        movw    $0x8000, %bx
        movw    $STAGE2_SECTORS, %cx
boot_next_sector:
        call    boot_read
        addw    $512, %bx
        addw    $1, %ax
        adcw    $0, %dx
        loop    boot_next_sector
        cmpw    $MAGIC & 0xFFFF, kernel_magic
        jne     boot_bad_file
        cmpw    $MAGIC >> 16, kernel_magic+2
        jne     boot_bad_file
        jmp     0x8000

# Reads sector DX:AX of the volume to 0:BX. Tries 5 times. Keeps all registers.
boot_read:
        pushw   %ax
        pushw   %cx
        pushw   %dx
        pushw   %di
        movw    $5, %di
        addw    BPB_HIDDEN, %ax
        adcw    BPB_HIDDEN+2, %dx
        pushw   %ax
        pushw   %dx
        movw    BPB_SECTORS_PER_TRACK, %ax
        mulw    BPB_HEADS
        movw    %ax, %cx
        popw    %dx
        popw    %ax
        divw    %cx                     # AX = cylinder, DX = sector in it
        xchgw   %ax, %dx
        divb    BPB_SECTORS_PER_TRACK   # AL = head, AH = sector in track
        incb    %ah
        movb    %dl, %ch
        movb    %dh, %cl
        rorb    $1, %cl
        rorb    $1, %cl
        orb     %ah, %cl
        movb    %al, %dh
        movb    BPB_DRIVE, %dl
boot_try:
        movw    $0x0201, %ax
        int     $0x13
        jnc     boot_read_done
        xorw    %ax, %ax
        int     $0x13
        decw    %di
        jnz     boot_try
        movw    $boot_text_read, %si
        jmp     boot_fail
boot_read_done:
        popw    %di
        popw    %dx
        popw    %cx
        popw    %ax
        ret

boot_no_file:
        movw    $boot_text_file, %si
        jmp     boot_fail
boot_bad_file:
        movw    $boot_text_bad, %si
boot_fail:
        lodsb
        testb   %al, %al
        jz      boot_wait
        movb    $0x0E, %ah
        movw    $7, %bx
        int     $0x10
        jmp     boot_fail
boot_wait:
        xorw    %ax, %ax
        int     $0x16
        int     $0x19

boot_name:
        .ascii  "FTPSRV  SYS"
boot_text_read:
        .asciz  "Disk read error in boot sector. Press key"
boot_text_file:
        .asciz  "No FTPSRV.SYS on disk. Press key"
boot_text_bad:
        .asciz  "FTPSRV.SYS damaged. Press key"
        .org    0x1FE
        .word   0xAA55
