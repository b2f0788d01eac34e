using Xunit.Sdk;
using Xunit.v3;

// descriptors of the whole process are counted around each test
[assembly: Parallelization(Mode = ParallelMode.None)]
