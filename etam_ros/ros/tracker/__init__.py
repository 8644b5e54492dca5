"""The node /tracker."""
