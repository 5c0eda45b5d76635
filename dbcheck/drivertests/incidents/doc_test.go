// Package incidents runs the incidents of examples, which know a fake there, against PostgreSQL.
package incidents
