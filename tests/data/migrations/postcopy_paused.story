# Post-copy loses its connection and gets another.
0     process web
0     event web setup at=0
0     open a web 40000>49152
0     pace a sends=100M
20    event web active at=20
1000  event web STOP at=1000
1010  event web postcopy-active at=1010
2000  close a
2010  event web postcopy-paused at=2010
2020  qmp web postcopy-paused way=out total=2020 setup=20 transferred=190M
8000  expect web outgoing phase=postcopy result=none
8010  open b web 40002>49152
8010  pace b sends=100M
8020  event web postcopy-recover at=8020
8030  event web postcopy-active at=8030
9000  event web completed at=9000
9010  close b
9020  qmp web completed way=out total=9000 setup=20 downtime=12 transferred=300M
9100  expect web outgoing result=completed end=9000 sockets=300M~2M
9400  news began=1 ended=1
