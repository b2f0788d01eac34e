using Xunit.Sdk;
using Xunit.v3;

// Clusters share one machine: one test at a time, so that what one measures is its own.
[assembly: Parallelization(Mode = ParallelMode.None)]
