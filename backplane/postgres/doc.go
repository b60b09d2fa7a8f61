// Package postgres is a backplane over tables in an application's own PostgreSQL
// database.
package postgres
