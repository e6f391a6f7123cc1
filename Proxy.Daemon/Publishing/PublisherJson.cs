using System.Text.Json.Serialization;
using TorBalancer.Daemon.Admin;
using TorBalancer.Onion.Publishing;

namespace TorBalancer.Daemon.Publishing;

/// <summary>How the publisher's records are written and read; generated at build time, because trimming leaves no reflection.</summary>
[JsonSerializable(typeof(PublisherView))]
[JsonSerializable(typeof(InstanceView))]
internal sealed partial class PublisherJson : JsonSerializerContext
{
    /// <summary>As the admin API's: snake_case, nulls left out.</summary>
    public static PublisherJson Instance { get; } = new(AdminJson.NewOptions());
}
