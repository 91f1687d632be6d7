# The destination refuses: the guest was stopped, goes on here, and no pause of a migration has been.
0     process web
0     open a web 40000>49152
0     pace a sends=100M
100   qmp web active way=out total=100 setup=5 transferred=10M
1000  event web STOP at=1000
1040  event web failed at=1040
1050  event web RESUME at=1050
1050  close a
1060  qmp web failed way=out transferred=100M
1100  expect web outgoing result=failed end=1040 pause=missing state_transfer=40
1300  news began=1 ended=1
