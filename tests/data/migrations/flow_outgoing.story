# Nobody speaks: the bytes leave no doubt, and the guest stands still after the end.
0     process web
0     guest web runs
1000  open a web 40000>49152
1000  pace a sends=100M receives=100K
1000  absent web outgoing
1040  wanted web
1200  expect web outgoing phase=memory_copy start=1000~20 result=none transferred=20M~2M told=missing pause=missing
1200  news began=1
2900  guest web stands
3000  close a
4400  expect web outgoing result=none
4700  expect web outgoing result=completed end=3000 memory_copy=2000~20 state_transfer=0 transferred=200M~1M
4900  news began=1 ended=1 carried=200M~1M
