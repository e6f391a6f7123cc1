using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Publishing;
using TorBalancer.Daemon.Terminal;
using TorBalancer.Onion.Publishing;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer onion status</c>: what the running publisher does, of all services.</summary>
internal static class OnionStatusCommand
{
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "As JSON, with everything there is" };
        var command = new Command(
            "status",
            "Show what the running publisher knows and has published; exit status 0: every service is at its directories, 1: not.")
        {
            json,
        };
        var arguments = ConfigurationArguments.AddTo(command);
        command.SetAction((parsed, cancellationToken) => PublisherClient.RunAsync(
            parsed, arguments, "onion status",
            async (client, token) =>
            {
                using var document = await client.GetAsync("/api/v1/onion", token);
                var view = document.Deserialize(PublisherJson.Instance.PublisherView)
                    ?? throw new AdminClientException("it answered with nothing");
                await parsed.InvocationConfiguration.Output.WriteLineAsync(
                    parsed.GetValue(json) ? document.RootElement.GetRawText() : Describe(view));
                return IsPublished(view) ? ExitCodes.Done : ExitCodes.Failed;
            },
            cancellationToken));
        return command;
    }

    /// <summary>Both descriptors of every service are at all their directories.</summary>
    internal static bool IsPublished(PublisherView view) =>
        view.Problem is null && view.Services.All(static service => service.HasPublished());

    internal static string Describe(PublisherView view)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"tor {view.Tor ?? "is not connected"}");
        if (view.Consensus is { } consensus)
            text.Append(CultureInfo.InvariantCulture, $", consensus of {consensus.ValidAfter:u}, {consensus.Directories} directories");
        if (view.Problem is { } problem)
            text.Append(CultureInfo.InvariantCulture, $"\nnothing is published: {Printable.Of(problem)}");
        if (view.DrainsNotKept is { } forgotten)
            text.Append(CultureInfo.InvariantCulture, $"\nthe next start will not know what is drained: {Printable.Of(forgotten)}");
        foreach (var service in view.Services)
            Describe(text, service);
        return text.ToString();
    }

    private static void Describe(StringBuilder text, ServiceView service)
    {
        text.Append(CultureInfo.InvariantCulture, $"\n\n{service.Name}  {service.Address}");
        if (service.Problem is { } problem)
            text.Append(CultureInfo.InvariantCulture, $"\n  {Printable.Of(problem)}");
        if (service.AllDown)
            text.Append("\n  all instances seem down: none is taken out for it");
        if (service.Descriptors.Count == 0)
            text.Append("\n  nothing published yet");
        foreach (var descriptor in service.Descriptors)
        {
            int done = descriptor.Directories.Count(static one => one.State == "uploaded");
            text.Append(
                CultureInfo.InvariantCulture,
                $"\n  {descriptor.Order} descriptor: at {done} of {descriptor.Directories.Count} directories, "
                    + $"{descriptor.Instances.Count} instances, {(descriptor.Distinct ? "distinct" : "the same for all")}, "
                    + $"made {descriptor.Built:u}");
            foreach (var directory in descriptor.Directories)
            {
                if (directory.Problem is { } refusal)
                    text.Append(CultureInfo.InvariantCulture, $"\n    {directory.Fingerprint} {directory.State}: {Printable.Of(refusal)}");
            }
        }

        int width = service.Instances.Max(static one => one.Name.Length);
        foreach (var instance in service.Instances)
        {
            string state = instance.Drained ? "drained" : instance.Health;
            text.Append(CultureInfo.InvariantCulture, $"\n  {instance.Name.PadRight(width)}  {state,-8}");
            if (instance.DrainedSince is { } since)
                text.Append(CultureInfo.InvariantCulture, $"  since {since:u}");
            if (instance.Received is { } received)
                text.Append(CultureInfo.InvariantCulture, $"  {instance.IntroductionPoints} introduction points, received {received:u}");
            if (instance.Reason is { } reason)
                text.Append(CultureInfo.InvariantCulture, $"  ({Printable.Of(reason)})");
        }
    }
}
