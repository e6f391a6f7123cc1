using System.CommandLine;
using System.Net;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Publishing;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer onion drain|enable SERVICE INSTANCE</c>.</summary>
internal static class OnionDrainCommand
{
    public static Command Drain() => Create(
        "drain", "Take an instance out of its service's descriptors at once, until it is enabled again; a restart changes nothing.");

    public static Command Enable() => Create("enable", "Put a drained instance back.");

    private static Command Create(string verb, string description)
    {
        var service = new Argument<string>("SERVICE") { Description = "The part after the colon of [OnionService:…]." };
        var instance = new Argument<string>("INSTANCE") { Description = "The part after the slash of [Instance:…/…]." };
        var command = new Command(verb, description) { service, instance };
        var arguments = ConfigurationArguments.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            // As sections are called: nothing that would make another path of it.
            string of = parsed.GetValue(service)!, one = parsed.GetValue(instance)!;
            if (Array.Find([of, one], static name => !ConfText.IsName(name) || name is "." or "..") is { } wrong)
            {
                await parsed.InvocationConfiguration.Error.WriteLineAsync(
                    $"torbalancer onion {verb}: '{Printable.Of(wrong)}' is no name; [Instance:shop/node1] is: shop node1");
                return ExitCodes.Usage;
            }

            return await PublisherClient.RunAsync(
                parsed, arguments, $"onion {verb}",
                (client, token) => RunAsync(client, verb, of, one, parsed.InvocationConfiguration, token), cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(
        AdminClient client, string verb, string service, string instance, InvocationConfiguration console, CancellationToken token)
    {
        using var answer = await client.SendAsync(
            HttpMethod.Post, $"/api/v1/onion/{service}/instances/{instance}/{verb}", body: null, token);
        if (answer.Status != HttpStatusCode.OK)
        {
            string detail = answer.Body.RootElement.Text("detail") is { } text ? Printable.Of(text) : $"status {(int)answer.Status}";
            await console.Error.WriteLineAsync($"torbalancer onion {verb}: {detail}");
            return ExitCodes.Failed;
        }

        string name = $"{service}/{instance}";
        await console.Output.WriteLineAsync(verb == "drain" ? $"{name}: drained, until it is enabled" : $"{name}: enabled");
        if (answer.Body.RootElement.Text("not_kept") is { } problem)
        {
            await console.Error.WriteLineAsync(
                $"torbalancer onion {verb}: the publisher's next start will not know of it: {Printable.Of(problem)}");
        }

        return ExitCodes.Done;
    }
}
