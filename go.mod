module hafile

go 1.26
