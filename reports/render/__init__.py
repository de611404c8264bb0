"""From a stored report to what people read: words, numbers and pictures. Pure; judges nothing."""
