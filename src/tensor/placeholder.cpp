namespace transformers { void unused_placeholder() {} }
