"""What pages, terminal and report show: values made from rows, and their words. No request, no HTML, no writes."""
