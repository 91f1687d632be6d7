# Five connections, one of them gone early: one migration.
0     process web
0     guest web runs
1000  open main web 40000>49152
1000  pace main sends=1M
1040  open f1 web 40001>49152
1040  open f2 web 40002>49152
1040  open f3 web 40003>49152
1040  open f4 web 40004>49152
1040  pace f1 sends=50M
1040  pace f2 sends=50M
1040  pace f3 sends=50M
1040  pace f4 sends=50M
1500  expect web outgoing channels=5 phase=memory_copy start=1000~20
2000  close f4
2500  expect web outgoing channels=5 result=none
2900  guest web stands
3000  close f1
3000  close f2
3000  close f3
3000  close main
5000  expect web outgoing result=completed end=3000 sockets=344M~3M channels=5
5000  news began=1 ended=1 carried=344M~3M
