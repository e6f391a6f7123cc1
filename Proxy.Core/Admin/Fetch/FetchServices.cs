using System.Security.Cryptography.X509Certificates;
using TorBalancer.Configuration.Options;
using TorBalancer.Server;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Admin.Fetch;

/// <summary>What every fetch needs and none owns.</summary>
internal sealed record FetchServices(FetchConnector Connector, Live<LogOptions> Log, TimeProvider Time)
{
    /// <summary>[Admin] FetchMemory: what all fetches together may hold.</summary>
    public MemoryBudget Memory { get; init; } = new(AdminOptions.DefaultFetchMemory);

    /// <summary>Gives back to the system what fetches have left; null: nobody does.</summary>
    public MemoryTrim? Trim { get; init; }

    /// <summary>What a fetch's connection to a worker is taken from; by default without a bound.</summary>
    public DescriptorBudget Descriptors { get; init; } = DescriptorBudget.Unlimited();

    /// <summary>
    /// Who may sign targets' certificates; null: whom the system trusts. Set by tests, which have an authority of their own.
    /// </summary>
    public X509Certificate2Collection? TrustedRoots { get; init; }
}
