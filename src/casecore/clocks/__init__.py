"""Clocks: how long something may take, and when that is used up. Pure, in whole microseconds.

`zones` tells local time, `calendar` is what a desk publishes about its hours, `openings` compiles
it, `targets` are what a policy sets, `clock` reckons, `trying` answers `casecore sla try`.
"""
