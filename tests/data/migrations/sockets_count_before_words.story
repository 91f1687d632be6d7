# The sockets are counted before the hypervisor is asked, and it counts fewer bytes: what is shown does not go back.
0     process web
0     open a web 40000>49152
0     pace a sends=1G
200   expect web outgoing transferred=205M~25M told=missing
200   qmp web active way=out total=200 setup=5 transferred=180M
300   expect web outgoing told=180M
1000  qmp web active way=out total=1000 setup=5 transferred=980M
1020  expect web outgoing transferred=980M told=980M
