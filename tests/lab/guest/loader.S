/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Stands in a kernel's image where the code that unpacks it has been: the kernel is there already, unpacked, at the
 * address where it runs, which saves three seconds when a processor is emulated. Entered at 0x100000 by the image's own
 * real-mode code in 32-bit protected mode, with interrupts off and %esi = boot_params (Documentation/x86/boot.rst,
 * "32-bit Boot Protocol"); enters the kernel as "64-bit Boot Protocol" says: long mode, the memory mapped to itself.
 */
	.set	kernel, 0x1000000
	.set	tables, 0x110000	/* PML4, then PDPT: one gigabyte a page is not known to each processor, so PD */
	.set	present_writable, 3
	.set	large_page, 0x83

	.code32
	.globl	_start
_start:
	cli
	cld
	xorl	%eax, %eax
	movl	$tables, %edi
	movl	$(6 * 1024), %ecx
	rep stosl
	movl	$(tables + 0x1000 + present_writable), tables
	/* four page directories: four gigabytes */
	movl	$(tables + 0x2000 + present_writable), %eax
	movl	$(tables + 0x1000), %edi
	movl	$4, %ecx
1:	movl	%eax, (%edi)
	addl	$0x1000, %eax
	addl	$8, %edi
	loop	1b
	movl	$large_page, %eax
	movl	$(tables + 0x2000), %edi
	movl	$2048, %ecx
2:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	2b

	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$tables, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER: long mode */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	lgdt	gdt_pointer
	movl	$0x80000001, %eax	/* paging, protection */
	movl	%eax, %cr0
	ljmp	$0x10, $long_mode

	.code64
long_mode:
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%esi, %esi		/* its upper half is not defined after the switch */
	movl	$kernel, %eax
	jmp	*%rax

	.balign	8
gdt:
	.quad	0, 0
	.quad	0x00af9a000000ffff	/* 0x10 __BOOT_CS: code, 64 bits */
	.quad	0x00cf92000000ffff	/* 0x18 __BOOT_DS */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
