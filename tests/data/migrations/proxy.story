# ssh carries a tunnelled migration: a configured proxy, no port of migrations, no guest.
0     process ssh-77 proxy
1000  open a ssh-77 40000>22
1000  pace a sends=100M
2000  expect ssh-77 outgoing hypervisor=proxy phase=memory_copy
3000  dies ssh-77
3000  close a
3500  gone ssh-77
6000  news began=1 ended=1
