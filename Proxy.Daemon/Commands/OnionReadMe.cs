using System.Globalization;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Daemon.Commands;

/// <summary>What belongs where, what a topology costs, and how to change it.</summary>
internal static class OnionReadMe
{
    /// <summary>The directory of a publisher.</summary>
    public static string Publisher(OnionPlan plan, int number) => plan.Publishers == 1 ? "publisher" : Text($"publisher{number}");

    public static string Write(OnionPlan plan, OnionServiceAddress address)
    {
        bool isParallel = plan.Topology == OnionTopology.Parallel;
        string key = isParallel ? $"node1/{plan.Name}/{TorKeyFiles.SecretName}" : $"{Publisher(plan, 1)}/{plan.Name}.key";
        return Text($"""
            {address}
            Made by: torbalancer onion init --topology {Word(plan.Topology)} --instances {plan.Instances}

            The key of this address cannot be replaced: who loses it loses the address, and who has it is the address. Keep a copy of
            {key}
            offline, and delete this directory when its files are where they belong.


            """) + (isParallel ? Parallel(plan) : Split(plan)) + Rest(plan);
    }

    private static string Rest(OnionPlan plan) => Text($"""

        WHAT IT COSTS

        {Costs(plan.Topology)}
        CHANGING THE TOPOLOGY

        The address stays when the key does. Write the files of the other topology with the same key,

          torbalancer onion init --topology … --key KEYFILE --out ANOTHERDIR

        put the new set up beside the old one, let both run, and take the old one away only when the new one has taken over:

          parallel to split   The backends' lines come into the same torrcs, beside the ones that are there. Start the publisher. When
                              torbalancer onion status says that every directory has its descriptor, remove the lines of parallel.
          split to parallel   The lines of parallel come into the torrcs, beside the ones that are there. Stop the publishers. Keep the
                              backends' lines for three hours more: so long clients may still come by the last descriptor.
          split to combined   Start the further publishers. Nothing else changes; one after the other may be stopped again.

        While tors and publishers publish the same address, each replaces what the others have put into the directories, and both sets
        serve. A directory takes only a greater revision counter. Both kinds count the seconds, with steps of chance: either may be some
        minutes ahead of the other, and so long an upload is refused. The publisher tries again with newer ones until it is taken.

        """);

    private static string Parallel(OnionPlan plan) => Text($"""
        WHAT BELONGS WHERE

        {Nodes(plan)}, one for each host
          {plan.Name}/   to /var/lib/tor/{plan.Name}, for tor's user alone: chown -R debian-tor: /var/lib/tor/{plan.Name}; chmod 700
          torrc    its lines into /etc/tor/torrc; then: systemctl reload tor@default

        Start them some minutes apart: each publishes every one to two hours, and clients come to whoever published last.

        """);

    private static string Split(OnionPlan plan)
    {
        string publishers = plan.Publishers == 1
            ? "publisher, on a host that serves nothing else"
            : Text($"publisher1 to publisher{plan.Publishers}, each on a host that serves nothing else");
        return Text($"""
            WHAT BELONGS WHERE, IN THIS ORDER

            {Nodes(plan)}, one for each backend; several may go to one tor
              {plan.Name}-nodeN/   to /var/lib/tor, for tor's user alone: chown -R debian-tor: /var/lib/tor/{plan.Name}-nodeN; chmod 700
              torrc         its lines into /etc/tor/torrc; then: systemctl restart tor@default (a reload is not enough)

            {publishers}
              {plan.Name}.key   to /etc/torbalancer/{plan.Name}.key, with mode 600
              publish.conf   to /etc/torbalancer
              then: chown torbalancer-publish: /etc/torbalancer/{plan.Name}.key /etc/torbalancer/publish.conf
                    torbalancer onion check --config /etc/torbalancer/publish.conf
                    systemctl enable --now torbalancer-publish
                    torbalancer onion status

            """);
    }

    private static string Costs(OnionTopology topology) => topology switch
    {
        OnionTopology.Parallel => """
            parallel: the key is on every host; whoever breaks into one has the address. Clients come to the host that published last, until
            another one does: when a host dies they come to another within one to two hours. This is fail-over, not balance. In return there
            is nothing beside tor, and proof of work (HiddenServicePoWDefensesEnabled) works.

            """,
        OnionTopology.Split => """
            split: the key is on the publisher alone, which nobody connects to. Clients are spread over all backends, and a dead one is left
            out of the descriptor. No proof of work: its seeds are each backend's own, and one descriptor cannot carry several. Without the
            publisher the address lives on for up to three hours, as long as the backends keep their introduction points.

            """,
        _ => """
            combined: as split, and the key is on every publisher. Any of them may be away for as long as another one runs. They need the
            same configuration and the same key file, and clocks that are right: the revision counter is the time. They do not know of each
            other; where they see the backends differently the descriptors alternate, each of them valid. No proof of work, as in split.

            """,
    };

    private static string Nodes(OnionPlan plan) => plan.Instances == 1 ? "node1" : Text($"node1 to node{plan.Instances}");

    private static string Word(OnionTopology topology) => topology switch
    {
        OnionTopology.Parallel => "parallel",
        OnionTopology.Split => "split",
        _ => "combined",
    };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
