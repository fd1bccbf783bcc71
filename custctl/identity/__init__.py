"""Identity providers: where customers have their accounts, and who operators prove to be."""
