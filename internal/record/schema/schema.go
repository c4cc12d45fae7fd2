// Package schema has the table of records as SQL for PostgreSQL and Supabase.
package schema

import _ "embed" // schema.sql

//go:embed schema.sql
var text string

// SQL makes the table model_processing_jobs in an empty database, or brings an
// older one up to date; rows stay. It can be run again.
func SQL() string { return text }
