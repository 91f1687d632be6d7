# A guest of one sector for tests: it fills its memory up to `fillend` with what is not zero, says R on its serial
# line, and then writes one byte into each page up to `dirtyend`, again and again, waiting `pauseticks` of the
# processor's clock between two pages. Whoever starts it sets the three words at offset 496.
#   gcc -m32 -c guest.S && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o guest.bin guest.o
.code16
.globl _start
_start:
  cli
  xor %ax,%ax
  mov %ax,%ds
  in $0x92,%al
  or $2,%al
  out %al,$0x92
  lgdt gdtdesc
  mov %cr0,%eax
  or $1,%eax
  mov %eax,%cr0
  ljmp $8,$pm
.code32
pm:
  mov $16,%ax
  mov %ax,%ds
  mov %ax,%es
  mov %ax,%ss
  # fill whole memory with non-zero incompressible-ish data first (so pages are not zero)
  mov $0x100000,%edi
  mov fillend,%ecx
  mov $0x12345678,%eax
fill:
  imul $1664525,%eax,%eax
  add $1013904223,%eax
  mov %eax,(%edi)
  add $4,%edi
  cmp %ecx,%edi
  jb fill
  mov $0x3f8,%dx
  mov $'R',%al
  out %al,%dx
loop:
  mov $0x100000,%edi
  mov dirtyend,%ecx
inner:
  incb (%edi)
  # pace: spin pauseticks
  mov pauseticks,%ebx
  test %ebx,%ebx
  jz nopause
  rdtsc
  mov %eax,%esi
spin:
  rdtsc
  sub %esi,%eax
  cmp %ebx,%eax
  jb spin
nopause:
  add $4096,%edi
  cmp %ecx,%edi
  jb inner
  jmp loop
.align 8
gdt:
 .quad 0
 .quad 0x00cf9a000000ffff
 .quad 0x00cf92000000ffff
gdtdesc:
 .word 23
 .long gdt
.org 496
fillend: .long 0x0f000000
dirtyend: .long 0x02000000
pauseticks: .long 0
.org 510
.word 0xaa55
