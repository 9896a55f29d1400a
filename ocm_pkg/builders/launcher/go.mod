module ocm-pkg.dev/launcher

go 1.19
