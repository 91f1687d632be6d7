# A monitor that is ours alone: events with times of their own, which come in later than what followed them.
0     process web
0     event web setup at=980
1000  event web active at=990
1020  open a web 40000>49152
1020  pace a sends=200M
1100  qmp web active way=out total=120 setup=10 transferred=15M remaining=241M
1120  expect web outgoing phase=memory_copy start=980
1500  event web PASS 2 at=1490
2100  run web finish-migrate             # the answer comes before the events that explain it
2110  event web STOP at=2050
2110  event web device at=2060
2180  event web RESUME at=2020           # an old one: the guest was stopped and went on before
2200  expect web outgoing phase=state_transfer
2220  event web completed at=2210
2230  close a
2240  qmp web completed way=out total=1230 setup=10 downtime=155 transferred=230M
2300  expect web outgoing result=completed start=980 end=2210 pause=155 setup=10 memory_copy=1065 state_transfer=155
2500  news began=1 ended=1
