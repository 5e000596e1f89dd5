"""From a dataset to batches: ``material`` selects pictures, ``pixels`` prepares them, ``feed`` delivers batches."""
