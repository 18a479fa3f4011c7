"""The pages: one module a subject, thin over the record. No view writes; services do."""
