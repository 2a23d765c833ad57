"""asyncio and policy: what runs the machines."""
