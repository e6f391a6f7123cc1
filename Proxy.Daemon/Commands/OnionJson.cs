using System.Text.Json.Serialization;
using TorBalancer.Daemon.Admin;
using TorBalancer.Onion.Inspection;

namespace TorBalancer.Daemon.Commands;

/// <summary>What <c>onion inspect</c> found.</summary>
/// <param name="Directory">Who gave it; null for one from a file.</param>
/// <param name="Directories">With <c>--directories</c>.</param>
internal sealed record InspectionView(DescriptorReport? Descriptor, string? Directory, DirectoriesReport? Directories);

/// <summary>How the reports of <c>torbalancer onion</c> are written.</summary>
[JsonSerializable(typeof(InspectionView))]
internal sealed partial class OnionJson : JsonSerializerContext
{
    /// <summary>snake_case, nulls left out, for people to read too.</summary>
    public static OnionJson Instance { get; } = new(AdminJson.NewOptions(isIndented: true));
}
