# A monitor that says nothing at all is waited for a second.
0     process web monitor
1000  open a web 40000>49152
1000  pace a sends=500M
1900  absent web outgoing
2100  expect web outgoing phase=memory_copy start=1000~20
