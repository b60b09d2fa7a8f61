// timeOf reads the milliseconds since 1970 from an event's id, a version 7 UUID.
export function timeOf(id) {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
