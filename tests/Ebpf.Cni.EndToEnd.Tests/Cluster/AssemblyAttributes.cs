// Clusters share one machine: one test at a time, so that what one measures is its own.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
