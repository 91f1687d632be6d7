# The guest runs here long before its memory is all here.
0     process web incoming
0     run web inmigrate
0     open a web 49152>40000 accepted
0     pace a receives=100M sends=1M
20    event web active at=20
1000  event web postcopy-active at=1000
1010  event web RESUME at=1010
1010  run web running
1200  expect web incoming phase=postcopy result=none
2000  event web completed at=2000
2010  close a
2400  expect web incoming result=completed end=2000 memory_copy=1000 postcopy=1000~10 sockets=200M~1M
5100  news began=1 ended=1 carried=200M~1M
