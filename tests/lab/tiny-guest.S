# SPDX-License-Identifier: GPL-3.0-or-later
# The guest of the lab's VMs: a boot sector that behaves as an operating system does towards its power button, in 8 MiB
# and with next to no CPU time. It says on its serial port what it does: up, button, off, panic.
#
# Offset 508 has 16 bits for the lab to write: how many ticks (18.2 a second) a shutdown takes; 0xffff: the button is
# ignored; 0xfffe: the guest panics when the button is pressed.
#
# ACPI 6.5: 4.8.3.1 power management 1 status and enable, bit 8 the power button; 4.8.3.2.1 control, bit 13 SLP_EN.
# The addresses are those of QEMU's machine "pc" (PIIX4), where sleep type 0 is S5. pvpanic: docs/specs in QEMU.

	.set	PM1_STATUS, 0x600
	.set	PM1_ENABLE, 0x602
	.set	PM1_CONTROL, 0x604
	.set	POWER_BUTTON, 0x0100
	.set	SLEEP_ENABLE, 0x2000
	.set	PVPANIC, 0x505
	.set	PVPANIC_PANICKED, 1
	.set	COM1, 0x3f8
	.set	COM1_LINE_STATUS, 0x3fd
	.set	TRANSMITTER_EMPTY, 0x20

	.code16
	.globl	_start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movw	$PM1_STATUS, %dx	# written as ones, the bits are cleared
	movw	$0xffff, %ax
	outw	%ax, %dx
	movw	$PM1_ENABLE, %dx
	movw	$POWER_BUTTON, %ax
	outw	%ax, %dx
	sti
	movw	$up, %si
	call	say

wait_for_button:
	hlt				# until the next tick of the timer
	movw	$PM1_STATUS, %dx
	inw	%dx, %ax
	testw	$POWER_BUTTON, %ax
	jz	wait_for_button
	outw	%ax, %dx
	movw	$button, %si
	call	say
	movw	shutdown_ticks, %cx
	cmpw	$0xffff, %cx
	je	wait_for_button
	cmpw	$0xfffe, %cx
	je	go_mad
	jcxz	power_off
shut_down:
	hlt
	loop	shut_down
power_off:
	movw	$off, %si
	call	say
	movw	$PM1_CONTROL, %dx
	movw	$SLEEP_ENABLE, %ax
	outw	%ax, %dx
	jmp	stop

go_mad:
	movw	$panic, %si
	call	say
	movw	$PVPANIC, %dx
	movb	$PVPANIC_PANICKED, %al
	outb	%al, %dx
stop:
	hlt
	jmp	stop

# The text at si, once the serial port can take it.
say:
	lodsb
	testb	%al, %al
	jz	said
	movb	%al, %ah
	movw	$COM1_LINE_STATUS, %dx
busy:
	inb	%dx, %al
	testb	$TRANSMITTER_EMPTY, %al
	jz	busy
	movb	%ah, %al
	movw	$COM1, %dx
	outb	%al, %dx
	jmp	say
said:
	ret

up:	.asciz	"up\n"
button:	.asciz	"button\n"
off:	.asciz	"off\n"
panic:	.asciz	"panic\n"

	.org	508
shutdown_ticks:
	.word	2
	.word	0xaa55
