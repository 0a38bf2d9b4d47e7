// Package schema holds the tests that compare package cib/schema with xmllint
// on the installed Pacemaker schemas. It has no code of its own.
package schema
