// An assembly file in the package lets own_linkname.go declare functions without a body.
