module example.com/plugins/greeter

go 1.19
