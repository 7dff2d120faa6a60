# METADATA
# description: Lists in sentences and as evidence.
package netcause.lib.text

# names are up to five names, and how many more there are.
names(list) := concat(", ", sort(list)) if {
	count(list) <= 5
} else := sprintf("%s and %d more", [concat(", ", array.slice(sort(list), 0, 4)), count(list) - 4])

# either is "a, b or c".
either(list) := list[0] if {
	count(list) == 1
} else := sprintf("%s or %s", [concat(", ", array.slice(list, 0, count(list) - 1)), list[count(list) - 1]])

# few are the first items of a list: enough to check a statement by.
few(list) := array.slice(list, 0, 5)
