namespace TorBalancer.Tests.Architecture;

/// <summary>The circles of files in Proxy.Core that stay, because what they hold is one idea.</summary>
internal static class FileCircles
{
    public static readonly (string[] Files, string Why)[] Known =
    [
        (
            ["Admin/MemoryBudget.cs", "Admin/MemoryShare.cs"],
            "A share is given out by the budget that it is a part of, and gives itself back to it."),
        (
            ["Server/Limits/ClientAccount.cs", "Server/Limits/ClientTable.cs"],
            "An account is given out by the table that it stands in, and gives itself back to it."),
        (
            [
                "Transport/Linux/LinuxConnection.Io.cs", "Transport/Linux/LinuxPipeReader.cs", "Transport/Linux/LinuxRelay.cs",
                "Transport/Linux/LinuxTunnel.Direction.cs", "Transport/Linux/LinuxWriter.cs",
            ],
            "One connection in five chapters: it lends itself to its reader, its writer, its relay and its tunnel."),
        (
            ["Workers/WorkerLease.cs", "Workers/WorkerState.cs"],
            "A lease is given out by the worker that it counts on, and gives itself back to it."),
    ];
}
