using System.CommandLine;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer onion</c>: what goes with <c>torbalancer publish</c>.</summary>
internal static class OnionCommand
{
    public static Command Create() => new("onion", "Balanced onion services: what a publisher does, and what belongs to it.")
    {
        OnionInitCommand.Create(), OnionImportCommand.Create(), OnionCheckCommand.Create(), OnionInspectCommand.Create(),
        OnionStatusCommand.Create(),
        OnionDrainCommand.Drain(),
        OnionDrainCommand.Enable(),
    };
}
