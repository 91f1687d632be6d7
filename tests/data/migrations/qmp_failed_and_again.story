# Started again at once in the same process: stale words of the first must not end the second.
0     process web
0     open a web 40000>49152
0     pace a sends=100M
100   qmp web active way=out total=100 setup=5 transferred=10M
1000  close a
1010  event web failed at=1005
1020  open b web 40002>49152
1020  pace b sends=50M
1050  qmp web failed way=out transferred=100M        # of the first
1100  event web failed at=1005                       # by another door, late
1110  event web setup at=1030
1120  event web active at=1040
1130  event web cancelled at=1006                    # later still
1140  qmp web active way=out total=110 setup=10 transferred=3M
1160  expect web outgoing phase=memory_copy result=none start=1020~10 told=3M
1160  news began=2
3000  event web completed at=2990
3000  close b
3010  qmp web completed way=out total=1960 setup=10 downtime=50 transferred=99M
3100  expect web outgoing result=completed end=2990 told=99M sockets=99M~1M
3400  news began=2 ended=2 carried=199M~1M
